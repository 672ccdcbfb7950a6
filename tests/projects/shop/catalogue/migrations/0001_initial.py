from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = ()
    operations = (
        migrations.CreateModel(
            "Product",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("name", models.CharField(max_length=100)),
                ("seen", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            "Visit",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
    )
