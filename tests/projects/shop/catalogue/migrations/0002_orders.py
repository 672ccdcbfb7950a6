from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = (("catalogue", "0001_initial"),)
    operations = (
        migrations.CreateModel(
            "ApiKey",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("key", models.CharField(max_length=100)),
                ("owner", models.CharField(max_length=100)),
            ],
        ),
        migrations.CreateModel(
            "Order",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("product", models.ForeignKey("catalogue.Product", models.CASCADE)),
                ("count", models.IntegerField()),
                ("owner", models.CharField(max_length=100)),
            ],
        ),
    )
